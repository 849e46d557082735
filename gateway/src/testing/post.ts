/** A response over HTTP. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The parsed body; null if it is not JSON. */
  readonly body: {
    readonly data?: unknown;
    readonly errors?: readonly { readonly message: string; readonly extensions: Record<string, unknown> }[];
  };
}

/** Sends a document by POST, as curl would. */
export function post(
  url: string,
  query: string,
  headers: Record<string, string> = {},
  variables?: Record<string, unknown>,
): Promise<HttpAnswer> {
  return send(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json', ...headers },
    body: JSON.stringify({ query, ...(variables ? { variables } : {}) }),
  });
}

/** Sends any request and reads the whole response. */
export async function send(url: string, init: RequestInit = {}): Promise<HttpAnswer> {
  const response = await fetch(url, { redirect: 'manual', ...init });
  const text = await response.text();
  let body: HttpAnswer['body'] = {};
  try {
    body = JSON.parse(text) as HttpAnswer['body'];
  } catch {
    // Pages and event streams are not JSON.
  }
  return { status: response.status, headers: response.headers, text, body };
}

/** The error codes of a response. */
export function codesOf({ body }: HttpAnswer): unknown[] {
  return (body.errors ?? []).map(({ extensions }) => extensions['code']);
}
