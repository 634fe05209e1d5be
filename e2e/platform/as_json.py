"""Reads YAML documents and writes them as one JSON list, for the tests: Kubernetes' YAML is version 1.1, as here."""

import json
import sys

import yaml

documents = yaml.load_all(sys.stdin, Loader=yaml.CSafeLoader)
json.dump([document for document in documents if document is not None], sys.stdout)
