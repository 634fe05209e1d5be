// Judges an AsyncAPI document as AsyncAPI's own parser does, its Avro schemas and examples included. Anything that it
// has to say is a fault, hints too, but for the one that there is a newer version of AsyncAPI: tools refuse it.

import fs from "node:fs";
import parser from "@asyncapi/parser";
import { AvroSchemaParser } from "@asyncapi/avro-schema-parser";

const judge = new parser.Parser({ schemaParsers: [AvroSchemaParser()] });
const { document, diagnostics } = await judge.parse(fs.readFileSync(process.argv[2], "utf8"));
const faults = diagnostics.filter(({ code }) => code !== "asyncapi-latest-version");
for (const { code, message, path } of faults) {
  console.log(`${path.join("/")}: ${message} (${code})`);
}
if (document === undefined || faults.length > 0) {
  process.exit(1);
}
console.log(`${document.channels().length} channels, ${document.allMessages().length} messages`);
