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

interface RightsAnswer {
  readonly status: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, string>>;
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
    const answer = await this.#options.attempts.run(
      request,
      (attempt) => this.#answer(request, attempt),
      (error) => this.#failed(error),
    );
    sendJson(response, answer.status, answer.text, answer.headers);
    return true;
  }

  async #answer(request: IncomingMessage, attempt: Attempt): Promise<RightsAnswer> {
    const { rights, verifier, bodies, attempts } = this.#options;
    const token = bearerToken(request.headers.authorization);
    await attempts.admit(attempt, { holder: claimedByToken(token) });
    // The token comes first: nothing of a stranger's body is read.
    const { subject } = await verifier.verify(token);
    attempts.remember(attempt);
    // The body may take its time.
    attempts.end(attempt);
    const holders = readRightsQuestion(await bodies.read(request, { maxBytes, subject }));
    const found = await Promise.all(holders.map((holder) => rights.of(holder)));
    return { status: 200, text: writeRightsAnswer(found), headers: {} };
  }

  /** The code alone: strangers learn nothing of the question. */
  #failed(error: unknown): RightsAnswer {
    if (isDomainError(error)) {
      const { http: status, code } = error;
      return { status, text: JSON.stringify({ code }), headers: retryHeaders(error) };
    }
    this.#options.log.error({ err: error }, 'question about rights failed');
    return { status: 500, text: JSON.stringify({ code: 'INTERNAL_SERVER_ERROR' }), headers: {} };
  }
}
