"""Checks a Compose file against its schema, and that it names only services and secrets of its own."""

import json, sys

import jsonschema, yaml

schema, file = (open(name, encoding="utf-8") for name in sys.argv[1:])
document = yaml.safe_load(file)
try:
    jsonschema.validate(document, json.load(schema))
except jsonschema.ValidationError as error:
    sys.exit(f"{error.json_path}: {error.message}")
for name, service in document["services"].items():
    for member, known in [("depends_on", document["services"]), ("secrets", document["secrets"])]:
        for other in service.get(member, []):
            if other not in known:
                sys.exit(f"{name}: {member} names {other}, which is not there")
