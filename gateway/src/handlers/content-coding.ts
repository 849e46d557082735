/**
 * Codings in which built files lie next to the plain ones, best first: the name in HTTP and the ending of the
 * file.
 */
export const codings = [
  { name: 'br', ending: '.br' },
  { name: 'gzip', ending: '.gz' },
] as const;

/** A coding of a built file. */
export type Coding = (typeof codings)[number];

/**
 * The codings that an `Accept-Encoding` header accepts, best first. The client's order of preference is not
 * used: the smaller file wins.
 */
export function acceptedCodings(header: string | undefined): readonly Coding[] {
  const qualities = new Map<string, number>();
  for (const part of (header ?? '').split(',')) {
    const [name = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
    const quality = parameters.find((parameter) => parameter.startsWith('q='));
    qualities.set(name, quality === undefined ? 1 : Number(quality.slice(2)));
  }
  const wildcard = qualities.get('*') ?? 0;
  return codings.filter(({ name }) => (qualities.get(name) ?? wildcard) > 0);
}
