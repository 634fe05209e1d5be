"""Makes JSON schemas for kubeconform: schemas.py OUT VERSIONS CRD...

Out of what operators define (CustomResourceDefinitions), stricter than an API server is, which drops unknown fields in
silence; and out of those of the package kubernetes-validate, for versions of Kubernetes with commas between them.

A program of its own, in the language whose packages `./x platform-tools` installs anyway: the tests read what it
wrote.
"""

import json
import pathlib
import sys

import kubernetes_validate
import yaml

# A lone `=`, which is a text to everybody but YAML 1.1.
yaml.CSafeLoader.add_constructor("tag:yaml.org,2002:value", yaml.CSafeLoader.construct_yaml_str)


def strict(schema):
    """The same, with no room for what is not named, and in words that JSON schema has."""
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        schema.pop("type", None)
        schema.setdefault("anyOf", [{"type": "integer"}, {"type": "string"}])
    if schema.get("nullable") and isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
    for key in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(key, []):
            strict_below(part)
    strict_below(schema)
    is_open = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    if schema.get("properties") and not is_open:
        schema["additionalProperties"] = False
    return schema


def strict_below(schema):
    """Alternatives name only some of the fields, so they themselves stay open."""
    for field in schema.get("properties", {}).values():
        strict(field)
    for key in ("items", "additionalProperties"):
        strict(schema.get(key))


def kubernetes(out, version):
    """Kubernetes' own: there already, but referring to each other by addresses that lead nowhere."""
    target = pathlib.Path(out, f"v{version}")
    target.mkdir(parents=True, exist_ok=True)
    package = pathlib.Path(kubernetes_validate.__file__).parent
    for file in (package / "kubernetes-json-schema" / f"v{version}-local-strict").glob("*.json"):
        schema = json.loads(file.read_text().replace('"/api/_definitions.json#', '"_definitions.json#'))
        schema.pop("$id", None)
        (target / file.name).write_text(json.dumps(schema))


def operators(out, files):
    for file in files:
        for crd in yaml.load_all(pathlib.Path(file).read_text(), Loader=yaml.CSafeLoader):
            if not crd or crd.get("kind") != "CustomResourceDefinition":
                continue
            spec = crd["spec"]
            for version in spec["versions"]:
                schema = version["schema"]["openAPIV3Schema"]
                # The definitions leave out what every object has.
                for field in ("apiVersion", "kind", "metadata"):
                    schema["properties"].setdefault(field, {})
                path = pathlib.Path(out, spec["group"], f"{spec['names']['kind'].lower()}_{version['name']}.json")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(strict(schema)))


for minor in sys.argv[2].split(","):
    kubernetes(sys.argv[1], minor)
operators(sys.argv[1], sys.argv[3:])
