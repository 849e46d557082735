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
import { claimedByToken } from '@rhizome/identity/holders';
import type { Logger } from '@rhizome/log';
import { bearerToken, type JsonBodies } from '@rhizome/subgraph';
import { retryHeaders } from './answers.js';
import type { Attempt, Attempts } from './attempts.js';
import { sendJson } from './send-json.js';

/** Options of {@link RightsEndpoint}. */
export interface RightsEndpointOptions {
  readonly rights: CurrentRights;
  /** Accepts the tokens that core processes sign for this endpoint. */
  readonly verifier: Verifier;
  readonly bodies: JsonBodies;
  readonly attempts: Attempts;
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
    const { attempts, log } = this.#options;
    const attempt = attempts.begin(request);
    try {
      sendJson(response, 200, await this.#answer(request, attempt));
    } catch (thrown) {
      const error = await attempts.refused(thrown, attempt);
      if (!isDomainError(error)) log.error({ err: error }, 'question about rights failed');
      const [status, code] = isDomainError(error) ? [error.http, error.code] : [500, 'INTERNAL_SERVER_ERROR'];
      const headers = isDomainError(error) ? retryHeaders(error) : {};
      sendJson(response, status, JSON.stringify({ code }), headers);
    } finally {
      attempts.end(attempt);
    }
    return true;
  }

  async #answer(request: IncomingMessage, attempt: Attempt): Promise<string> {
    const { rights, verifier, bodies, attempts } = this.#options;
    const token = bearerToken(request.headers.authorization);
    await attempts.admit(attempt, { holder: claimedByToken(token) });
    // The token comes first: nothing of a stranger's body is read.
    const { subject } = await verifier.verify(token);
    attempts.remember(attempt);
    // The body may take its time.
    attempts.end(attempt);
    const holders = readRightsQuestion(await bodies.read(request, { maxBytes, subject }));
    return writeRightsAnswer(await Promise.all(holders.map((holder) => rights.of(holder))));
  }
}
