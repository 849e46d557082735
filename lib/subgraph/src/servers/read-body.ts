import type { IncomingMessage } from 'node:http';
import { DomainError } from '@rhizome/errors';

/**
 * Number of bytes of a refused body that are read and dropped, so that a client that writes before it reads
 * sees the reason.
 */
const maxDroppedBytes = 256 * 1024 * 1024;

/**
 * Reads the body of a request as text in UTF-8.
 * @throws DomainError REQUEST_TOO_LARGE above `maxBytes`, before anything is read if the client announces the
 *   size; BAD_REQUEST if the client closes the connection before the end
 */
export function readBodyText(request: IncomingMessage, maxBytes: number): Promise<string> {
  // By events: an async iterator costs more than the rest of a small request.
  return new Promise((resolve, reject) => {
    const announced = Number(request.headers['content-length'] ?? 0);
    if (announced > maxBytes) {
      dropRest(request);
      return reject(tooLarge(announced, maxBytes));
    }
    const chunks: Buffer[] = [];
    let size = 0;
    let isRead = false;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxBytes) return void chunks.push(chunk);
      isRead = true;
      chunks.length = 0;
      request.removeAllListeners('data');
      dropRest(request);
      reject(tooLarge(size, maxBytes));
    });
    request.once('end', () => {
      isRead = true;
      const [first] = chunks;
      resolve((first && chunks.length === 1 ? first : Buffer.concat(chunks)).toString('utf8'));
    });
    request.once('error', reject);
    request.once('close', () => {
      // Every request closes: the error, with its stack, is created only if it is needed.
      if (!isRead)
        reject(
          new DomainError('BAD_REQUEST', 'body: incomplete; the client closed the connection', {
            field: 'body',
          }),
        );
    });
  });
}

function dropRest(request: IncomingMessage): void {
  let left = maxDroppedBytes;
  request.on('error', () => undefined);
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) request.destroy();
  });
}

function tooLarge(bytes: number, maxBytes: number): DomainError {
  return new DomainError(
    'REQUEST_TOO_LARGE',
    `body: ${bytes} bytes or more are too many; must be at most ${maxBytes}`,
    { field: 'body', value: bytes, expected: `at most ${maxBytes} bytes` },
  );
}
