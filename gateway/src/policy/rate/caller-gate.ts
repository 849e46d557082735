import type { IncomingMessage } from 'node:http';
import { type DomainError, isDomainError } from '@rhizome/errors';
import { nonceField } from '@rhizome/identity/holders';
import { authorizationIn, type Identity } from '../identity.js';
import type { Admission, Admissions, Admit, NamedHolder } from './admissions.js';
import { AttemptGate } from './attempt-gate.js';
import type { ClientAddress } from './client-address.js';

/** Limits the credentials of strangers before they are verified, and charges their addresses for them. */
export class CallerGate {
  readonly #admissions: Admissions;
  readonly #turns = new AttemptGate();

  constructor(admissions: Admissions) {
    this.#admissions = admissions;
  }

  /**
   * Verifies a caller. A refusal is charged to the address, or to the known holder that the credentials name;
   * the caller then gets that error, or LIMIT_EXCEEDED. Callers with valid credentials are not charged.
   */
  authenticate<P>(address: string, verify: (admit: Admit) => Promise<P>): Promise<P> {
    let admission: Admission | undefined;
    const admit: Admit = async (named) => {
      admission = await this.#admit(address, named);
    };
    return verify(admit).then(
      (principal) => {
        if (admission) {
          this.#admissions.remember(admission.holder);
          admission.leave();
        }
        return principal;
      },
      (error: unknown) => {
        const charged = this.#charge(error, admission?.key ?? address);
        admission?.leave();
        throw charged ?? error;
      },
    );
  }

  /**
   * Without a store of holders, the tokens of an address that has used up its failures are verified one by
   * one: nobody knows which of them are valid.
   */
  async #admit(address: string, named: NamedHolder): Promise<Admission> {
    try {
      return await this.#admissions.admit(address, named);
    } catch (error) {
      if (named.find || named.holder === undefined) throw error;
      return {
        holder: named.holder,
        key: address,
        leave: await this.#turns.enter(address, () => 1),
      };
    }
  }

  #charge(error: unknown, key: string): DomainError | undefined {
    return isOfStranger(error) ? this.#admissions.rates.useByAddress(key, { operations: 1 }) : undefined;
  }
}

/**
 * An expired token was signed by a trusted issuer, and the nonce of another process comes with a valid token:
 * their holders must learn what to renew.
 */
function isOfStranger(error: unknown): error is DomainError {
  if (!isDomainError(error) || error.http !== 401) return false;
  return error.code !== 'TOKEN_EXPIRED' && error.details.field !== nonceField;
}

/** Authenticates as `identity` does, within the limits of a gate. */
export function limitedIdentity(identity: Identity, gate: CallerGate, addressOf: ClientAddress): Identity {
  /** Errors of the tokens with which sockets were opened: they were charged then. */
  const refused = new WeakMap<IncomingMessage, Error>();
  return {
    ...identity,
    ofRequest: (request) =>
      gate.authenticate(addressOf(request), (admit) => identity.ofRequest(request, admit)),
    holderOf: async (request) => {
      try {
        return await gate.authenticate(addressOf(request), (admit) => identity.holderOf(request, admit));
      } catch (error) {
        if (isOfStranger(error)) refused.set(request, error);
        throw error;
      }
    },
    ofSocket: (payload, request) => {
      const error = authorizationIn(payload) === undefined ? refused.get(request) : undefined;
      if (error) return Promise.reject(error);
      return gate.authenticate(addressOf(request), (admit) => identity.ofSocket(payload, request, admit));
    },
  };
}
