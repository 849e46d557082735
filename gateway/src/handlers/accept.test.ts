import { describe, expect, it } from '@jest/globals';
import { readAccept } from './accept.js';

const own = 'application/graphql-response+json';
const legacy = 'application/json';

describe('readAccept', () => {
  it.each<[string | undefined, string | undefined, boolean]>([
    [undefined, legacy, false],
    ['', legacy, false],
    ['*/*', legacy, false],
    [own, own, false],
    [`${legacy}, ${own}`, own, false],
    [`${own};q=0.5, ${legacy}`, legacy, false],
    [`${own};q=0, ${legacy}`, legacy, false],
    [`${own}, application/graphql+json, ${legacy}, text/event-stream, multipart/mixed`, own, true],
    [`${legacy};q=0, */*`, own, false],
    [`*/*;q=0.1, ${legacy};q=0, ${own};q=0`, undefined, false],
    ['text/event-stream', undefined, true],
    ['text/event-stream;q=0', undefined, false],
    ['text/html, application/xhtml+xml, */*;q=0.8', legacy, false],
    ['text/html', undefined, false],
    [`${legacy}; charset=utf-8`, legacy, false],
    [`${legacy}; charset=latin1`, undefined, false],
    [`APPLICATION/JSON ; q=0.1`, legacy, false],
  ])('reads %j as %s, with stream %s', (header, json, stream) => {
    expect(readAccept(header)).toEqual({ json, stream });
  });
});
