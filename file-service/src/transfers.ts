/** Requests for files, after their signature is verified. */
import { statfs } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline as pipeStreams, Readable, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  digestHeaders,
  type FolderStorage,
  pieceBytes,
  readerOf,
  type SignedRequest,
} from '@rhizome/storage';
import { Refusal, sendJson, writeHead } from './answers.js';
import { isUnchanged, rangeOf, tagOf } from './byte-ranges.js';
import { declaredContent } from './declared-content.js';
import type { FileServiceMetrics } from './metrics.js';
import type { Throttle } from './throttle.js';

export interface TransferOptions {
  readonly storage: FolderStorage;
  /** Path of the folder. */
  readonly folder: string;
  readonly metrics: FileServiceMetrics;
  readonly throttle: Throttle | undefined;
  readonly largestFileBytes: number;
  readonly reserveBytes: number;
}

/** One exchange with a client. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal;
}

/** Reads, writes, lists and removes files of a folder for clients. */
export class Transfers {
  readonly #options: TransferOptions;

  constructor(options: TransferOptions) {
    this.#options = options;
  }

  async read({ key }: SignedRequest, { request, response, signal }: Exchange): Promise<void> {
    const opened = await this.#options.storage.open(key);
    const { file, sizeBytes, modifiedAt } = opened;
    try {
      const range = rangeOf(request.headers, opened);
      if (range === null)
        throw new Refusal(416, `The file has ${sizeBytes} bytes`, {
          'content-range': `bytes */${sizeBytes}`,
        });
      const headers = {
        etag: tagOf(opened),
        'last-modified': modifiedAt.toUTCString(),
        'accept-ranges': 'bytes',
      };
      if (isUnchanged(request.headers, opened)) {
        writeHead(response, 304, headers);
        response.end();
        return;
      }
      const length = range === undefined ? sizeBytes : range.end - range.start + 1;
      writeHead(response, range === undefined ? 200 : 206, {
        ...headers,
        'content-type': 'application/octet-stream',
        'content-disposition': 'attachment',
        'content-length': length,
        ...(range && { 'content-range': `bytes ${range.start}-${range.end}/${sizeBytes}` }),
      });
      if (request.method === 'HEAD' || length === 0) return void response.end();
      const body = readerOf(file, range ?? { start: 0, end: sizeBytes - 1 }, signal);
      await pipeline([body, ...this.#delays(), response]);
      this.#options.metrics.bytes.inc({ direction: 'out' }, length);
    } finally {
      await file.close();
    }
  }

  async write(signed: SignedRequest, { request, response, signal }: Exchange): Promise<void> {
    const content = declaredContent(request.headers, signed);
    const { storage, largestFileBytes, metrics } = this.#options;
    if (content.sizeBytes > largestFileBytes)
      throw new Refusal(
        413,
        `The file has ${content.sizeBytes} bytes; must have at most ${largestFileBytes}`,
      );
    await this.#assertSpace(content.sizeBytes);
    if (request.headers.expect?.toLowerCase() === '100-continue') response.writeContinue();
    const open = (): Readable => this.#arriving(request);
    const ifAbsent = request.headers['if-none-match'] === '*';
    const stored = await storage.put(signed.key, { ...content, open }, { ifAbsent, signal });
    metrics.bytes.inc({ direction: 'in' }, stored.sizeBytes);
    writeHead(response, 201, {
      'content-length': 0,
      'last-modified': stored.modifiedAt?.toUTCString(),
      'repr-digest': digestHeaders(stored.sha256 ?? '')['Repr-Digest'],
    });
    response.end();
  }

  async list({ key }: SignedRequest, query: URLSearchParams, { response, signal }: Exchange): Promise<void> {
    const limit = Number(query.get('limit') ?? Number.NaN);
    const after = query.get('after');
    const found = await this.#options.storage.list(key, {
      signal,
      ...(after !== null && { after }),
      ...(Number.isInteger(limit) && { limit }),
    });
    sendJson(response, 200, found);
  }

  async remove({ key }: SignedRequest, { response, signal }: Exchange): Promise<void> {
    await this.#options.storage.delete(key, { signal });
    writeHead(response, 204);
    response.end();
  }

  async #assertSpace(sizeBytes: number): Promise<void> {
    const { bavail, bsize } = await statfs(this.#options.folder);
    const free = bavail * bsize - this.#options.reserveBytes;
    if (sizeBytes > free) throw new Refusal(507, `No space is left for a file of ${sizeBytes} bytes`);
  }

  /** The body of a request; its connection stays open if it is not read to its end. */
  #arriving(request: IncomingMessage): Readable {
    const pieces = request.iterator({ destroyOnReturn: false });
    const body = Readable.from(pieces, { objectMode: false, highWaterMark: pieceBytes });
    const [delay] = this.#delays();
    return delay === undefined ? body : pipeStreams(body, delay, () => undefined);
  }

  #delays(): readonly Transform[] {
    const { throttle } = this.#options;
    return throttle === undefined ? [] : [throttle.stream()];
  }
}
