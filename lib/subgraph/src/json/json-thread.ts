// Thread of the parser: see json-parser.ts.
import { parentPort } from 'node:worker_threads';
import { cutJson, type JsonPiece } from './json-pieces.js';
import type { ParserAnswer, ParserCall } from './json-parser.js';

interface Body {
  readonly chunks: Uint8Array[];
  pieces?: Generator<JsonPiece>;
}

const bodies = new Map<number, Body>();

function bodyOf(id: number): Body {
  let body = bodies.get(id);
  if (!body) bodies.set(id, (body = { chunks: [] }));
  return body;
}

/** The next piece of a text; the first request for one parses the text. */
function nextPiece(id: number): ParserAnswer {
  const body = bodyOf(id);
  try {
    body.pieces ??= cutJson(JSON.parse(Buffer.concat(body.chunks.splice(0)).toString('utf8')));
    const { value: piece, done } = body.pieces.next();
    if (!done) return { id, piece };
  } catch {
    // The only failure is invalid JSON.
  }
  bodies.delete(id);
  return { id, invalid: true };
}

parentPort?.on('message', (call: ParserCall) => {
  if ('chunk' in call) bodyOf(call.id).chunks.push(call.chunk);
  else if ('dropped' in call) bodies.delete(call.id);
  else parentPort?.postMessage(nextPiece(call.id));
});
