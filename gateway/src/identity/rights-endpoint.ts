/** Answers core processes that ask which rights principals have now. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type CurrentRights,
  readRightsQuestion,
  rightsPath,
  type Verifier,
  writeRightsAnswer,
} from '@rhizome/authz';
import { isDomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import { bearerToken, type JsonBodies } from '@rhizome/subgraph';
import { sendJson } from './send-json.js';

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
      sendJson(response, 200, await this.#answer(request));
    } catch (error) {
      if (!isDomainError(error)) this.#options.log.error({ err: error }, 'question about rights failed');
      const [status, code] = isDomainError(error) ? [error.http, error.code] : [500, 'INTERNAL_SERVER_ERROR'];
      sendJson(response, status, JSON.stringify({ code }));
    }
    return true;
  }

  async #answer(request: IncomingMessage): Promise<string> {
    const { rights, verifier, bodies } = this.#options;
    // The token comes first: nothing of a stranger's body is read.
    const { subject } = await verifier.verify(bearerToken(request.headers.authorization));
    const holders = readRightsQuestion(await bodies.read(request, { maxBytes, subject }));
    return writeRightsAnswer(await Promise.all(holders.map((holder) => rights.of(holder))));
  }
}
