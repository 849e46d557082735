/** A program's name and version: 1 to 64 letters, digits, blanks and `. @ / + -` each. */
export interface ClientName {
  readonly name: string;
  readonly version: string;
}

/** The same as headers of requests and as parameters of a socket; none where nothing is said. */
export function clientHeaders(client: ClientName | undefined): Record<string, string> {
  if (!client) return {};
  return { 'graphql-client-name': client.name, 'graphql-client-version': client.version };
}
