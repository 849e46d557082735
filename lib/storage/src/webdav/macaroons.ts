/** Macaroons, as dCache, XRootD and StoRM issue them: tokens with a limited right on one path. */
import { StorageError } from '../storage-error.js';
import { assertOk, discard, type FileRequest, type FileResponse, readText } from '../http/http-client.js';

/** Statuses of servers that do not issue macaroons. */
const notOffered: ReadonlySet<number> = new Set([400, 404, 405, 415, 501]);
const longestAnswerBytes = 64 * 1024;

// XRootD looks a file up before it sends it.
export const activities = { GET: 'DOWNLOAD,READ_METADATA', PUT: 'UPLOAD' } as const;

export interface MacaroonRequest {
  readonly url: string;
  readonly method: 'GET' | 'PUT';
  readonly seconds: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A macaroon for one method on one file; undefined if the server does not issue them.
 * @throws StorageError
 */
export async function requestMacaroon(
  { url, method, seconds, headers, signal }: MacaroonRequest,
  send: (request: FileRequest) => Promise<FileResponse>,
): Promise<string | undefined> {
  const request = {
    method: 'POST',
    url,
    headers: { ...headers, 'Content-Type': 'application/macaroon-request' },
    body: JSON.stringify({ caveats: [`activity:${activities[method]}`], validity: `PT${seconds}S` }),
    signal,
  };
  const response = await send(request);
  if (notOffered.has(response.status)) {
    discard(response);
    return undefined;
  }
  await assertOk(response, request);
  const text = await readText(response, longestAnswerBytes, 'The macaroon');
  // A server that knows nothing of macaroons may answer a POST with a page.
  const found = /"macaroon"\s*:\s*"([A-Za-z0-9_=+/-]+)"/.exec(text)?.[1];
  if (found === undefined) throw new StorageError('INVALID', `POST ${url} returned no macaroon`);
  return found;
}
