/** Sends a copy of the log to a collector by OTLP/HTTP with JSON (OTLP 1.x, `POST /v1/logs`). */
import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { once } from 'node:events';
import { type CopyChannel, RetryLater } from './copy-queue.js';
import { requestOf } from './otlp-record.js';

/** A collector. */
export interface OtlpTarget {
  /** Address of its logs, such as `https://collector.example:4318/v1/logs`. */
  readonly url: string;
  /** Certificates of the authority, in PEM; undefined: those of the system. */
  readonly ca?: string | undefined;
  /** Certificate and private key of the client, in PEM. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** Value of the header `Authorization`. */
  readonly authorization?: string | undefined;
}

/** Statuses of requests that are wrong and stay wrong; a wrong credential or address can be mended. */
const refusedForGood: ReadonlySet<number> = new Set([400, 413, 415, 422]);
/** Longest answer that is read, in bytes. */
const mostAnswer = 64 * 1024;

/** Connections to a collector, which stay open between requests. */
export class OtlpChannel implements CopyChannel {
  readonly name = 'OTLP collector';
  readonly #target: OtlpTarget;
  #agent: HttpAgent | HttpsAgent;

  constructor(target: OtlpTarget) {
    this.#target = target;
    this.#agent = this.#newAgent();
  }

  async write(records: readonly Buffer[], signal: AbortSignal): Promise<number> {
    const response = await this.#post(requestOf(records), signal);
    const text = await textOf(response);
    const { statusCode: status = 0, headers } = response;
    if (refusedForGood.has(status)) return records.length;
    if (status >= 200 && status < 300) return rejectedIn(text, records.length);
    const message = `The collector answered with status ${status}`;
    const seconds = Number(headers['retry-after']);
    throw seconds > 0 ? new RetryLater(message, seconds * 1000) : new Error(message);
  }

  disconnect(): void {
    this.#agent.destroy();
    this.#agent = this.#newAgent();
  }

  close(): void {
    this.#agent.destroy();
  }

  #newAgent(): HttpAgent | HttpsAgent {
    const { url, ca, cert, key } = this.#target;
    const options = { keepAlive: true, maxSockets: 1 };
    return url.startsWith('https:') ? new HttpsAgent({ ...options, ca, cert, key }) : new HttpAgent(options);
  }

  async #post(body: Buffer, signal: AbortSignal): Promise<IncomingMessage> {
    const { url, authorization } = this.#target;
    const headers = {
      'content-type': 'application/json',
      'content-length': body.length,
      ...(authorization !== undefined && { authorization }),
    };
    const options = { method: 'POST', agent: this.#agent, headers, signal };
    const sent = url.startsWith('https:') ? requestHttps(url, options) : requestHttp(url, options);
    // An error after the headers of the answer also ends the reading of its body.
    sent.on('error', () => undefined);
    sent.end(body);
    const [response] = (await once(sent, 'response', { signal })) as [IncomingMessage];
    return response;
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > mostAnswer) throw new Error('The answer of the collector is too long');
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

/** Records that the collector did not take (`partialSuccess`), of those that it got. */
function rejectedIn(text: string, sent: number): number {
  try {
    const { partialSuccess } = JSON.parse(text) as {
      readonly partialSuccess?: { readonly rejectedLogRecords?: string | number };
    };
    const rejected = Number(partialSuccess?.rejectedLogRecords ?? 0);
    return Number.isInteger(rejected) ? Math.min(sent, Math.max(0, rejected)) : 0;
  } catch {
    // Some collectors answer with an empty body.
    return 0;
  }
}
