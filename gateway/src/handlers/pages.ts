import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join, normalize, sep } from 'node:path';
import { acceptedCodings } from './content-coding.js';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ttf': 'font/ttf',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
};

/** Serves the files of one folder and nothing outside it. */
export class StaticFiles {
  readonly #root: string;

  constructor(root: string) {
    this.#root = normalize(root);
  }

  /** Sends a file of the folder; returns false if there is none of that name. */
  async send(request: IncomingMessage, response: ServerResponse, path: string): Promise<boolean> {
    const file = this.#locate(path);
    // Pages have addresses of their own, where they get their headers.
    if (file !== undefined && extname(file).toLowerCase() === '.html') return false;
    const found = file === undefined ? undefined : await sizeOf(file);
    if (file === undefined || !found) return false;
    const sent = await smallestForm(file, found, request.headers['accept-encoding']);
    const etag = etagOf(`${path} ${sent.size} ${sent.mtimeMs} ${sent.coding ?? ''}`);
    response.setHeader('etag', etag);
    response.setHeader('x-content-type-options', 'nosniff');
    response.setHeader('cross-origin-resource-policy', 'same-origin');
    response.setHeader('vary', 'accept-encoding');
    // A file with a hash in its name never changes.
    const isHashed = /-[A-Z0-9]{8}\.\w+$|[/\\]assets[/\\][^/\\]+-[\w-]{8}\.\w+$/.test(file);
    response.setHeader('cache-control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache');
    if (request.headers['if-none-match'] === etag) {
      response.writeHead(304).end();
      return true;
    }
    response.writeHead(200, {
      'content-type': types[extname(file)] ?? 'application/octet-stream',
      'content-length': sent.size,
      ...(sent.coding && { 'content-encoding': sent.coding }),
    });
    if (request.method === 'HEAD') response.end();
    else
      createReadStream(sent.file)
        .on('error', () => response.destroy())
        .pipe(response);
    return true;
  }

  #locate(path: string): string | undefined {
    let decoded: string;
    try {
      decoded = decodeURIComponent(path);
    } catch {
      return undefined;
    }
    if (decoded.includes('\0') || decoded.includes('/.')) return undefined;
    const file = normalize(join(this.#root, decoded));
    return file.startsWith(this.#root + sep) ? file : undefined;
  }
}

interface FileSize {
  readonly size: number;
  readonly mtimeMs: number;
}

/** A file in the form in which it is sent. */
interface SentFile extends FileSize {
  readonly file: string;
  readonly coding: string | undefined;
}

async function sizeOf(file: string): Promise<FileSize | undefined> {
  const found = await stat(file).catch(() => undefined);
  return found?.isFile() ? found : undefined;
}

/**
 * The compressed form that the build has put next to the file if the client accepts it; otherwise the file
 * itself.
 */
async function smallestForm(
  file: string,
  plain: FileSize,
  acceptEncoding: string | undefined,
): Promise<SentFile> {
  for (const { name, ending } of acceptedCodings(acceptEncoding)) {
    const found = await sizeOf(file + ending);
    if (found) return { file: file + ending, size: found.size, mtimeMs: found.mtimeMs, coding: name };
  }
  return { file, size: plain.size, mtimeMs: plain.mtimeMs, coding: undefined };
}

function etagOf(text: string): string {
  return `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`;
}

/**
 * Content security policy of the gateway's pages: this host only, and for reads by scripts some origins of
 * storages. The browser blocks the rest.
 */
function contentPolicy(host: string, styles: string, readable: readonly string[]): string {
  return [
    "default-src 'self'",
    "object-src 'none'",
    `style-src ${styles}`,
    "img-src 'self' data:",
    "font-src 'self' data:",
    "worker-src 'self'",
    [`connect-src 'self' ws://${host} wss://${host}`, ...readable].join(' '),
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
}

/** Serves GraphiQL's page; its files come from the same folder. */
export function sendGraphiql(
  request: IncomingMessage,
  response: ServerResponse,
  root: string,
): Promise<void> {
  // The editor of GraphiQL inserts its styles into the page.
  const styles = "'self' 'unsafe-inline'";
  return sendPage(request, response, {
    file: join(root, 'graphiql', 'index.html'),
    name: 'GraphiQL',
    styles,
  });
}

/**
 * Serves the single page of the dashboard, whose address selects the view; its files come from the same
 * folder.
 */
export function sendDashboard(
  request: IncomingMessage,
  response: ServerResponse,
  { root, fileOrigins }: { readonly root: string; readonly fileOrigins: readonly string[] },
): Promise<void> {
  return sendPage(request, response, {
    file: join(root, 'index.html'),
    name: 'The dashboard',
    styles: "'self'",
    readable: fileOrigins,
  });
}

/**
 * True if a request asks for a page, as browsers do for typed addresses and links, and not for a file or
 * data.
 */
export function wantsPage({ headers }: IncomingMessage, path: string): boolean {
  return extname(path) === '' && (headers.accept ?? '').includes('text/html');
}

/** Headers of every page, in addition to its content policy. */
const pageHeaders = {
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
} as const;

interface PageOptions {
  readonly file: string;
  /** Name of the page in messages. */
  readonly name: string;
  /** Sources of styles. */
  readonly styles: string;
  /** Other origins from which scripts of the page may read; default none. */
  readonly readable?: readonly string[];
}

async function sendPage(
  request: IncomingMessage,
  response: ServerResponse,
  { file, name, styles, readable = [] }: PageOptions,
): Promise<void> {
  const page = await readFile(file).catch(() => undefined);
  if (!page) {
    response.writeHead(503, { 'content-type': 'text/plain; charset=utf-8' });
    response.end(`${name} has not been built: run \`npm run build\`.\n`);
    return;
  }
  const { host } = request.headers;
  response.writeHead(200, {
    'content-type': 'text/html; charset=utf-8',
    'content-length': page.length,
    'cache-control': 'no-cache',
    'content-security-policy': contentPolicy(
      host && /^[\w.:[\]-]+$/.test(host) ? host : 'localhost',
      styles,
      readable,
    ),
    ...pageHeaders,
  });
  response.end(request.method === 'HEAD' ? undefined : page);
}
