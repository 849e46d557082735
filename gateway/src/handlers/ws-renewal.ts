/** Renewal of the token of an open WebSocket, by a `ping` that carries another one. */
import type { Principal } from '@rhizome/authz';
import { DomainError, isDomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import type { AuditRecorder } from '../audit/index.js';
import { type Identity, type RateLimiter, requestIdOf } from '../policy/index.js';
import type { Connection } from './ws-connection.js';

/** Ports of {@link SocketRenewals}. */
export interface SocketRenewalsOptions {
  readonly identity: Identity;
  readonly rates: RateLimiter | undefined;
  readonly audit: AuditRecorder | undefined;
  readonly log: Logger;
}

type Payload = Record<string, unknown> | undefined;

/** Facts of a principal that a renewed token must repeat: it may change rights, never its caller. */
const repeatedFacts = [
  'kind',
  'tokenKind',
  'subject',
  'issuer',
  'actsFor',
  'queue',
  'worker',
  'service',
  'attempt',
  'keyThumbprint',
  'certificateThumbprint',
] as const;

/** Answers pings: a token in one replaces that of the socket. */
export class SocketRenewals {
  readonly #options: SocketRenewalsOptions;

  constructor(options: SocketRenewalsOptions) {
    this.#options = options;
  }

  /** Sends the pong: with the new time of expiry, with the reason of a refusal, or with what was sent. */
  async ping(connection: Connection, payload: Payload): Promise<void> {
    const isRenewal = payload?.['authorization'] !== undefined;
    const answer = isRenewal ? await this.#renew(connection, payload) : payload;
    await connection.line.send(JSON.stringify({ type: 'pong', ...(answer && { payload: answer }) }));
  }

  /** A refused token leaves the socket as it was. */
  async #renew(connection: Connection, payload: Payload): Promise<object> {
    try {
      const principal = await this.#verified(connection, payload);
      connection.renew(principal);
      return { expiresAt: principal.expiresAt.toISOString() };
    } catch (error) {
      const { audit, log } = this.#options;
      const { address, client, principal, request } = connection;
      log.debug({ err: error }, 'renewal of a socket refused');
      if (!isDomainError(error))
        return { error: { code: 'SERVICE_UNAVAILABLE', message: 'The token cannot be checked now' } };
      const requestId = requestIdOf(request.headers['x-request-id']);
      audit?.refused({ principal, requestId, client, address }, [error.code]);
      return { error: { code: error.code, message: error.message } };
    }
  }

  async #verified({ principal, request }: Connection, payload: Payload): Promise<Principal> {
    const { identity, rates } = this.#options;
    if (!principal) throw notThisCaller('The socket was opened without a token');
    const limited = rates?.use(principal, { operations: 1 });
    if (limited) throw limited;
    const renewed = await identity.ofSocket(payload, request);
    if (!renewed || repeatedFacts.some((fact) => renewed[fact] !== principal[fact]))
      throw notThisCaller('The token is of another caller than that of the socket');
    return renewed;
  }
}

function notThisCaller(why: string): DomainError {
  return new DomainError('FORBIDDEN', `${why}; open another socket`, { field: 'authorization' });
}
