/** Open streams of notifications: few for each caller, and none for longer than its token is valid. */
import type { Principal } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import type { ServerResponse } from 'node:http';
import type { Expiries } from '../policy/index.js';

/** Streams of one person with all agents: clients open several while they find out what a server offers. */
const mostStreams = 4;

/** Counts and ends the streams. */
export class Listeners {
  readonly #expiries: Expiries;
  readonly #open = new Map<string, number>();

  constructor(expiries: Expiries) {
    this.#expiries = expiries;
  }

  /** Admits the stream of a response. @throws DomainError LIMIT_EXCEEDED */
  admit(principal: Principal | undefined, address: string, response: ServerResponse): void {
    const key = principal ? (principal.actsFor ?? principal.subject) : address;
    const open = this.#open.get(key) ?? 0;
    if (open >= mostStreams) {
      const text = `${mostStreams} streams of notifications are open; close one of them first`;
      throw new DomainError('LIMIT_EXCEEDED', text, { field: 'streams', expected: `at most ${mostStreams}` });
    }
    this.#open.set(key, open + 1);
    const member = { expired: () => void response.destroy() };
    const until = principal?.expiresAt.getTime();
    if (until !== undefined) this.#expiries.add(member, until);
    response.once('close', () => {
      if (until !== undefined) this.#expiries.remove(member, until);
      const left = (this.#open.get(key) ?? 1) - 1;
      if (left > 0) this.#open.set(key, left);
      else this.#open.delete(key);
    });
  }
}
