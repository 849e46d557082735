/** The file service as a handler of requests: opens no socket. */
import { timingSafeEqual } from 'node:crypto';
import { access, constants, mkdir, readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import { FolderStorage, type SignedRequest, StorageError, verifyRequest } from '@rhizome/storage';
import { InFlight } from '@rhizome/subgraph/servers';
import { Refusal, refusalOf, refuse, sendJson, sendText, writeHead } from './answers.js';
import { FileServiceMetrics } from './metrics.js';
import { Throttle } from './throttle.js';
import { type Exchange, Transfers } from './transfers.js';

export interface FileServiceOptions {
  readonly folder: string;
  /** Keys of signed addresses; called for each request. */
  readonly keys: () => readonly Uint8Array[];
  readonly clock: Clock;
  readonly log: Logger;
  /** Transfers at the same time; default 256. */
  readonly transfers?: number | undefined;
  /** Bytes a second of all transfers together; default unlimited. */
  readonly bytesPerSecond?: number | undefined;
  /** Default 5 TiB. */
  readonly largestFileBytes?: number | undefined;
  /** Space that uploads leave free; default none. */
  readonly reserveBytes?: number | undefined;
  /** Origins of web pages that may read files. */
  readonly origins?: readonly string[] | undefined;
  readonly openMetrics?: boolean | undefined;
  readonly metricsTokenFile?: string | undefined;
  /** Interval at which abandoned uploads are removed, in milliseconds; default an hour. */
  readonly abandonedEveryMs?: number | undefined;
}

/** Completes the addresses of requests, which have a path only. */
const ownOrigin = 'http://localhost';

/** Serves files of a folder to those who have a signed address. */
export class FileService {
  readonly metrics = new FileServiceMetrics();
  readonly running = new InFlight();
  readonly #options: FileServiceOptions;
  readonly #transfers: Transfers;
  #isDraining = false;
  #timer: NodeJS.Timeout | undefined;

  private constructor(options: FileServiceOptions, storage: FolderStorage) {
    const { folder, clock, bytesPerSecond, largestFileBytes = 5 * 2 ** 40, reserveBytes = 0 } = options;
    this.#options = options;
    this.#transfers = new Transfers({
      storage,
      folder,
      metrics: this.metrics,
      throttle: bytesPerSecond === undefined ? undefined : new Throttle(bytesPerSecond, clock),
      largestFileBytes,
      reserveBytes,
    });
  }

  /** Makes the folder if there is none, and removes what a killed service left in it. */
  static async open(options: FileServiceOptions): Promise<FileService> {
    await mkdir(options.folder, { recursive: true, mode: 0o750 });
    const storage = new FolderStorage(options.folder);
    const service = new FileService(options, storage);
    await service.#removeAbandoned(storage);
    // Those of a service that was restarted at once are too young at its start.
    const { abandonedEveryMs = 3_600_000 } = options;
    service.#timer = setInterval(() => void service.#removeAbandoned(storage), abandonedEveryMs).unref();
    return service;
  }

  async #removeAbandoned(storage: FolderStorage): Promise<void> {
    const { clock, log } = this.#options;
    try {
      const count = await storage.removeAbandoned(clock.now());
      if (count > 0) log.info({ count }, 'abandoned uploads removed');
    } catch (err) {
      log.warn({ err }, 'abandoned uploads not removed');
    }
  }

  /** Accepts no more transfers. */
  drain(): void {
    this.#isDraining = true;
    clearInterval(this.#timer);
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url: target = '/' } = request;
    const url = URL.canParse(target, ownOrigin) ? new URL(target, ownOrigin) : undefined;
    const isSigned = url === undefined || url.searchParams.has('signature');
    if (!isSigned && (await this.#answerAsService(url.pathname, request, response))) return;
    const startedMs = this.#options.clock.monotonicMs();
    const { log } = this.#options;
    const peer = request.socket.remoteAddress;
    const controller = new AbortController();
    response.once('close', () => {
      if (!response.writableFinished) controller.abort();
    });
    let reason: string | undefined;
    try {
      if (url === undefined) throw new Refusal(400, 'The address of the request is not a valid URL');
      await this.#transfer(url, { request, response, signal: controller.signal });
    } catch (error) {
      const refusal = refusalOf(error);
      reason = controller.signal.aborted ? 'The client closed the connection' : refusal.message;
      if (refusal.status === 500 && !controller.signal.aborted) log.error({ err: error }, 'request failed');
      refuse(request, response, refusal);
    }
    const status = controller.signal.aborted ? 499 : response.statusCode;
    this.metrics.requests.inc({ method: known(method), status });
    const ms = Math.round(this.#options.clock.monotonicMs() - startedMs);
    // The query is left out: it is a credential.
    const path = url?.pathname ?? target.replace(/\?.*$/s, '');
    log.info({ method, path, status, reason, ms, peer }, 'request answered');
  }

  async #transfer(url: URL, exchange: Exchange): Promise<void> {
    const { request, response } = exchange;
    this.#allowOrigin(request, response);
    if (request.method === 'OPTIONS') {
      writeHead(response, 204);
      response.end();
      return;
    }
    const signed = this.#verified(url, request.method ?? '');
    if (this.#isDraining) throw new Refusal(503, 'The file service is shutting down', { 'retry-after': '5' });
    if (this.running.count >= (this.#options.transfers ?? 256))
      throw new Refusal(503, 'Too many transfers at the same time; try again', { 'retry-after': '1' });
    this.metrics.transfers.set(this.running.count + 1);
    try {
      await this.running.during(this.#act(signed, url.searchParams, exchange));
    } finally {
      this.metrics.transfers.set(this.running.count);
    }
  }

  async #act(signed: SignedRequest, query: URLSearchParams, exchange: Exchange): Promise<void> {
    const transfers = this.#transfers;
    if (signed.method === 'GET') return transfers.read(signed, exchange);
    if (signed.method === 'PUT') return transfers.write(signed, exchange);
    if (signed.method === 'LIST') return transfers.list(signed, query, exchange);
    return transfers.remove(signed, exchange);
  }

  #verified(url: URL, method: string): SignedRequest {
    const query = url.searchParams;
    const isList = query.get('method') === 'LIST';
    const file = isList ? (query.get('prefix') ?? '') : keyOf(url.pathname);
    const signed = verifyRequest(file, query, { keys: this.#options.keys(), now: this.#options.clock.now() });
    const allowed = signed.method === 'GET' ? ['GET', 'HEAD'] : [isList ? 'GET' : signed.method];
    if (allowed.includes(method)) return signed;
    throw new Refusal(405, `The address is signed for ${allowed.join(', ')}`, { allow: allowed.join(', ') });
  }

  #allowOrigin({ headers }: IncomingMessage, response: ServerResponse): void {
    const { origin } = headers;
    if (origin === undefined || !(this.#options.origins ?? []).includes(origin)) return;
    response.setHeader('access-control-allow-origin', origin);
    response.setHeader('access-control-allow-methods', 'GET, HEAD, PUT');
    response.setHeader('access-control-allow-headers', 'range, if-range, content-type, repr-digest');
    response.setHeader('access-control-expose-headers', 'content-range, content-length, etag, repr-digest');
    response.setHeader('vary', 'origin');
  }

  /** Answers for its own paths. @returns false for other paths */
  async #answerAsService(path: string, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    if (path === '/healthz') sendJson(response, 200, { status: 'ok' });
    else if (path === '/readyz') await this.#answerReady(response);
    else if (path === '/metrics') await this.#answerMetrics(request, response);
    else return false;
    return true;
  }

  async #answerReady(response: ServerResponse): Promise<void> {
    const folder = await access(this.#options.folder, constants.R_OK | constants.W_OK).then(
      () => 'readable and writable',
      () => 'not readable and writable',
    );
    const ready = !this.#isDraining && !folder.startsWith('not');
    const checks = { folder, ...(this.#isDraining && { server: 'draining' }) };
    sendJson(response, ready ? 200 : 503, { ready, checks });
  }

  async #answerMetrics({ headers }: IncomingMessage, response: ServerResponse): Promise<void> {
    const { openMetrics = false, metricsTokenFile } = this.#options;
    if (!openMetrics && !(await isToken(headers.authorization, metricsTokenFile)))
      return sendText(response, 401, 'Metrics need the token of metricsTokenFile\n');
    const { registry } = this.metrics;
    sendText(response, 200, await registry.metrics(), { 'content-type': registry.contentType });
  }
}

function keyOf(path: string): string {
  try {
    return decodeURIComponent(path.slice(1));
  } catch {
    throw new StorageError('INVALID', 'The path of the address is not valid UTF-8');
  }
}

async function isToken(authorization: string | undefined, file: string | undefined): Promise<boolean> {
  if (file === undefined || authorization === undefined) return false;
  const wanted = Buffer.from(`Bearer ${(await readFile(file, 'utf8')).trim()}`);
  const given = Buffer.from(authorization);
  return wanted.length === given.length && timingSafeEqual(wanted, given);
}

/** Bounds the values of a label. */
function known(method: string): string {
  return ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'].includes(method) ? method : 'other';
}
