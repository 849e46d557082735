/** Everything that identities need in one process, on one database. */
import { type Clock, createIds, type Ids, systemClock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import { readIssuerFile } from './issuers/issuer-file.js';
import { IssuerKeys } from './issuers/issuer-keys.js';
import { IssuersService } from './issuers/issuers.service.js';
import { OutsideTokens } from './issuers/outside-tokens.js';
import { PrincipalsService } from './principals/principals.service.js';
import { type IdentityStore, openIdentityStore } from './store/open.repository.js';

/** Settings of {@link openIdentity}. */
export interface IdentityOptions {
  readonly mongoUri: string;
  /** Default `identity`. */
  readonly database?: string | undefined;
  /** The `iss` of Rhizome's own tokens: the public address of the gateway. */
  readonly issuer: string;
  /** YAML file with issuers; the file wins over the store at each start. */
  readonly file?: string | undefined;
  readonly log: Logger;
  readonly clock?: Clock;
}

/** The services of one process. */
export interface Identity {
  readonly issuers: IssuersService;
  readonly principals: PrincipalsService;
  readonly outside: OutsideTokens;
  close(): Promise<void>;
}

/** @throws DomainError SERVICE_UNAVAILABLE if the store cannot be reached, CONFIG_INVALID for a wrong file */
export async function openIdentity(options: IdentityOptions): Promise<Identity> {
  const { mongoUri, database = 'identity', file, log, clock = systemClock } = options;
  const found = file === undefined ? undefined : readIssuerFile(file);
  const store = await openIdentityStore(mongoUri, database, log);
  try {
    const identity = build(options, store, clock, createIds(clock));
    if (file !== undefined && found) await identity.issuers.adoptFile(found, file);
    return identity;
  } catch (error) {
    await store.close();
    throw error;
  }
}

function build({ issuer, log }: IdentityOptions, store: IdentityStore, clock: Clock, ids: Ids): Identity {
  const principals = new PrincipalsService({ principals: store.principals, clock, ids });
  return {
    issuers: new IssuersService({ issuers: store.issuers, clock, log, ownIssuer: issuer }),
    principals,
    outside: new OutsideTokens({ issuers: store.issuers, keys: new IssuerKeys(), principals, clock }),
    close: () => store.close(),
  };
}
