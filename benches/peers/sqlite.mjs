// A tenant's row by better-sqlite3, with a statement that is prepared once.
import Database from "better-sqlite3";
import { COLUMNS, settings } from "./answer.mjs";

const database = new Database(settings.database, { readonly: true });
const statement = database.prepare(`select ${COLUMNS} from email_configs where tenant_id = ?`);

export const find = (tenant) => statement.get(tenant);
