/** Requests to exchange a token. */
import { DomainError } from '@rhizome/errors';

/** A request to exchange a token. */
export interface ExchangeRequest {
  readonly subjectToken: string;
  /** Rights that are asked for; null for all. */
  readonly scope: string | null;
  /** Name of the software that shall act for the person; null for the person itself. */
  readonly agent: string | null;
  /** Shorter lifetime than usual; null for the usual one. */
  readonly lifetimeSeconds: number | null;
  /** The client, by its own account. */
  readonly clientId?: string | null;
  /** Service for which the token shall be; null for Rhizome itself. */
  readonly audience?: string | null;
}

const clientIds = /^[\w.:/~-]{1,200}$/;

/** The name that a client gives itself; it proves nothing. */
export function clientOf({ clientId }: ExchangeRequest): string {
  if (clientId == null) return 'rhizome';
  if (clientIds.test(clientId)) return clientId;
  const text = `client_id: ${JSON.stringify(clientId.slice(0, 200))} is not valid; must be 1 to 200 letters, digits and "_.:/~-"`;
  throw new DomainError('BAD_REQUEST', text, { field: 'client_id' });
}
