/** Form in which a response is sent. */
export type MediaType = 'application/graphql-response+json' | 'application/json' | 'text/event-stream';

/** Media types that a client accepts, the best JSON type first. */
export interface Accepted {
  readonly json: Exclude<MediaType, 'text/event-stream'> | undefined;
  readonly stream: boolean;
}

/**
 * Reads an `Accept` header. Without one, and for `*`/`*`, the response is `application/json`, which every
 * client understands; only clients that name a stream type get streams.
 */
export function readAccept(header: string | undefined): Accepted {
  if (header === undefined || header.trim() === '') return { json: 'application/json', stream: false };
  const ranges = header.split(',').map(readRange);
  const refused = new Set(ranges.filter(({ quality }) => quality === 0).map(({ range }) => range));
  let json: Accepted['json'];
  let best = 0;
  let stream = false;
  for (const { range, quality, isOtherCharset } of ranges) {
    if (quality === 0 || isOtherCharset) continue;
    if (range === 'text/event-stream') stream = true;
    const type = jsonTypeOf(range, refused);
    if (!type || quality < best) continue;
    if (quality === best && json === 'application/graphql-response+json') continue;
    json = type;
    best = quality;
  }
  return { json, stream };
}

/** One media range of a header. */
interface AcceptedRange {
  readonly range: string;
  readonly quality: number;
  readonly isOtherCharset: boolean;
}

function readRange(part: string): AcceptedRange {
  const [range = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
  return { range, quality: qualityOf(parameters), isOtherCharset: wantsOtherCharset(parameters) };
}

/** The JSON type for a range. A wildcard does not include types that are refused by name. */
function jsonTypeOf(range: string, refused: ReadonlySet<string>): Accepted['json'] {
  if (range === 'application/graphql-response+json' || range === 'application/json') return range;
  if (range !== 'application/*' && range !== '*/*') return undefined;
  return jsonTypes.find((type) => !refused.has(type));
}

const jsonTypes = ['application/json', 'application/graphql-response+json'] as const;

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
