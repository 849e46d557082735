"""Receives logs by OTLP/HTTP and decodes them with OpenTelemetry's own protocol buffers, which know each field."""

import json
from http.server import BaseHTTPRequestHandler, HTTPServer

from google.protobuf.json_format import Parse, ParseError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest


def value_of(value):
    return getattr(value, value.WhichOneof("value"))


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            if self.path != "/v1/logs" or self.headers["content-type"] != "application/json":
                raise ParseError(f"{self.path} with {self.headers['content-type']}")
            request = Parse(body, ExportLogsServiceRequest())
        except ParseError as error:
            print(f"refused {error}", flush=True)
            return self.answer(400)
        for resource_logs in request.resource_logs:
            resource = {one.key: value_of(one.value) for one in resource_logs.resource.attributes}
            for record in (one for scope in resource_logs.scope_logs for one in scope.log_records):
                attributes = {one.key: value_of(one.value) for one in record.attributes}
                received = {
                    "service": resource["service.name"],
                    "time": record.time_unix_nano,
                    "severity": record.severity_number,
                    "attributes": attributes,
                    "body": json.loads(record.body.string_value),
                }
                print(f"record {json.dumps(received)}", flush=True)
        return self.answer(200)

    def answer(self, status):
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Receiver)
print(f"listening {server.server_port}", flush=True)
server.serve_forever()
