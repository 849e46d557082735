/** Answers core processes that ask which rights principals have now. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type CurrentRights,
  readRightsQuestion,
  rightsPath,
  type Verifier,
  writeRightsAnswer,
} from '@rhizome/authz';
import { DomainError, isDomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import type { JsonBodies } from '@rhizome/subgraph';

/** Options of {@link RightsEndpoint}. */
export interface RightsEndpointOptions {
  readonly rights: CurrentRights;
  /** Accepts the tokens that core processes sign for this endpoint. */
  readonly verifier: Verifier;
  readonly bodies: JsonBodies;
  readonly log: Logger;
}

const maxBytes = 256 * 1024;

/** Serves the endpoint. */
export class RightsEndpoint {
  readonly #options: RightsEndpointOptions;

  constructor(options: RightsEndpointOptions) {
    this.#options = options;
  }

  /** Answers a request. Returns false if the path is another one. */
  async handle(path: string, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    if (path !== rightsPath || request.method !== 'POST') return false;
    try {
      send(response, 200, await this.#answer(request));
    } catch (error) {
      if (!isDomainError(error)) this.#options.log.error({ err: error }, 'question about rights failed');
      const [status, code] = isDomainError(error) ? [error.http, error.code] : [500, 'INTERNAL_SERVER_ERROR'];
      send(response, status, JSON.stringify({ code }));
    }
    return true;
  }

  async #answer(request: IncomingMessage): Promise<string> {
    const { rights, verifier, bodies } = this.#options;
    const token = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1];
    if (token === undefined) throw new DomainError('UNAUTHENTICATED', 'A bearer token is missing');
    // The token comes first: nothing of a stranger's body is read.
    const { subject } = await verifier.verify(token);
    const holders = readRightsQuestion(await bodies.read(request, { maxBytes, subject }));
    return writeRightsAnswer(await Promise.all(holders.map((holder) => rights.of(holder))));
  }
}

function send(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
  });
  response.end(text);
}
