/** How an answer is sent. */
export type MediaType = 'application/graphql-response+json' | 'application/json' | 'text/event-stream';

/** What a client takes, best first among answers that are one JSON text. */
export interface Accepted {
  readonly json: Exclude<MediaType, 'text/event-stream'> | undefined;
  readonly stream: boolean;
}

/**
 * Reads an `Accept` header. Without one, and for `*`/`*`, the answer is `application/json`, which every client
 * understands; streams are sent only to those who name them.
 */
export function readAccept(header: string | undefined): Accepted {
  if (header === undefined || header.trim() === '') return { json: 'application/json', stream: false };
  let json: Accepted['json'];
  let best = 0;
  let stream = false;
  for (const part of header.split(',')) {
    const [range = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
    const quality = qualityOf(parameters);
    if (quality === 0 || wantsOtherCharset(parameters)) continue;
    if (range === 'text/event-stream') stream = true;
    const type = jsonTypeOf(range);
    if (!type || quality < best) continue;
    if (quality === best && json === 'application/graphql-response+json') continue;
    json = type;
    best = quality;
  }
  return { json, stream };
}

function jsonTypeOf(range: string): Accepted['json'] {
  if (range === 'application/graphql-response+json') return range;
  if (range === 'application/json' || range === 'application/*' || range === '*/*') return 'application/json';
  return undefined;
}

function qualityOf(parameters: readonly string[]): number {
  const given = parameters.find((parameter) => parameter.startsWith('q='));
  if (given === undefined) return 1;
  const quality = Number(given.slice(2));
  return quality >= 0 && quality <= 1 ? quality : 1;
}

function wantsOtherCharset(parameters: readonly string[]): boolean {
  const charset = parameters.find((parameter) => parameter.startsWith('charset='));
  return charset !== undefined && !/^charset="?utf-?8"?$/.test(charset);
}
