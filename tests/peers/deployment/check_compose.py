"""Checks a Compose file against its schema, and that it names only services and volumes of its own."""

import json, sys

import jsonschema, yaml

schema, file = (open(name, encoding="utf-8") for name in sys.argv[1:])
document = yaml.safe_load(file)
try:
    jsonschema.validate(document, json.load(schema))
except jsonschema.ValidationError as error:
    sys.exit(f"{error.json_path}: {error.message}")
for name, service in document["services"].items():
    mounted = [volume.split(":")[0] for volume in service.get("volumes", [])]
    # What begins with a point is beside the file.
    volumes = [volume for volume in mounted if not volume.startswith(".")]
    depends_on = service.get("depends_on", [])
    for member, others, known in [("depends_on", depends_on, document["services"]), ("volumes", volumes, document["volumes"])]:
        for other in others:
            if other not in known:
                sys.exit(f"{name}: {member} names {other}, which is not there")
