/** Everything that identities need in one process, on one database. */
import { type CurrentRights, currentRights, type TrustedIssuer } from '@rhizome/authz';
import { type Clock, createIds, type Ids, systemClock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import { type ChangedDocument, ChangeFollower } from '@rhizome/mongo';
import { ElevationsService } from './elevations/elevations.service.js';
import { EnrolmentDecisions } from './enrolment/enrolment-decisions.js';
import { EnrolmentsService } from './enrolment/enrolments.service.js';
import { Invitations } from './enrolment/invitations.js';
import { WorkerTokens } from './enrolment/worker-tokens.js';
import { GroupsService } from './groups/groups.service.js';
import { failedGuessesCollection } from './guesses/failed-guess.document.js';
import { FailedGuesses } from './guesses/failed-guesses.js';
import { readIssuerFile } from './issuers/issuer-file.js';
import { IssuerKeys } from './issuers/issuer-keys.js';
import { IssuersService } from './issuers/issuers.service.js';
import { OutsideTokens } from './issuers/outside-tokens.js';
import { LinksService } from './links/links.service.js';
import { People } from './principals/people.js';
import { PrincipalsService } from './principals/principals.service.js';
import { createProofVerifier, type ProofVerifier } from './proof/proof-verifier.js';
import { RevocationsService } from './revocations/revocations.service.js';
import { WebLogin } from './sessions/web-login.js';
import { webSessionsCollection } from './sessions/web-session.document.js';
import { WebSessions } from './sessions/web-sessions.js';
import { RobotsService } from './robots/robots.service.js';
import { type IdentityStore, openIdentityStore } from './store/open.repository.js';
import { type KeyEncryption, loadKeyEncryption } from './tokens/key-encryption.js';
import { RefreshTokens } from './tokens/refresh-tokens.js';
import { SigningKeys } from './tokens/signing-keys.js';
import { type StorageSettings, StorageTokens } from './tokens/storage-tokens.js';
import { TokenService } from './tokens/token.service.js';

/** Settings of {@link openIdentity}. */
export interface IdentityOptions {
  readonly mongoUri: string;
  /** Default `identity`. */
  readonly database?: string | undefined;
  /** The `iss` of Rhizome's own tokens: the public address of the gateway. */
  readonly issuer: string;
  /** The `aud` of Rhizome's own tokens; default `rhizome`. */
  readonly audience?: string | undefined;
  /** Further audiences for which callers may exchange their tokens: services that trust this issuer. */
  readonly otherAudiences?: readonly string[] | undefined;
  /** File with the key that encrypts signing keys and logins; made if there is none. */
  readonly keyFile: string;
  /** YAML file with issuers; the file wins over the store at each start. */
  readonly file?: string | undefined;
  readonly log: Logger;
  readonly clock?: Clock;
  /** Lifetime of the tokens of attempts, in seconds; default 1,200. */
  readonly attemptSeconds?: number;
  /** Storage whose tokens the payloads of attempts receive. */
  readonly storages?: readonly StorageSettings[] | undefined;
}

/** The services of one process. */
export interface Identity {
  /** Rhizome's own issuer, for a verifier. */
  readonly trusted: TrustedIssuer;
  readonly audience: string;
  readonly otherAudiences: readonly string[];
  readonly issuers: IssuersService;
  readonly principals: PrincipalsService;
  /** The rights that principals have now, for a verifier. */
  readonly people: People;
  /** The same with the revocations, for work that outlasts a call. */
  readonly rights: CurrentRights;
  readonly outside: OutsideTokens;
  readonly keys: SigningKeys;
  readonly groups: GroupsService;
  readonly links: LinksService;
  readonly elevations: ElevationsService;
  readonly tokens: TokenService;
  readonly storageTokens: StorageTokens;
  readonly revocations: RevocationsService;
  readonly invitations: Invitations;
  readonly enrolments: EnrolmentsService;
  readonly enrolmentDecisions: EnrolmentDecisions;
  readonly workerTokens: WorkerTokens;
  readonly robots: RobotsService;
  readonly proofs: ProofVerifier;
  /** Failed logins of the last minutes at all gateways. */
  readonly failedGuesses: FailedGuesses;
  readonly webLogin: WebLogin;
  readonly webSessions: WebSessions;
  close(): Promise<void>;
}

/** @throws DomainError SERVICE_UNAVAILABLE if the store cannot be reached, CONFIG_INVALID for a wrong file */
export async function openIdentity(options: IdentityOptions): Promise<Identity> {
  const { mongoUri, database = 'identity', file, keyFile, log, clock = systemClock } = options;
  const found = file === undefined ? undefined : readIssuerFile(file);
  const encryption = await loadKeyEncryption(keyFile);
  const store = await openIdentityStore(mongoUri, database, log);
  try {
    const services = build(options, { store, encryption, clock, ids: createIds(clock) });
    if (file !== undefined && found) await services.issuers.adoptFile(found, file);
    return await follow(services, store, log);
  } catch (error) {
    await store.close();
    throw error;
  }
}

interface Parts {
  readonly store: IdentityStore;
  readonly encryption: KeyEncryption;
  readonly clock: Clock;
  readonly ids: Ids;
}

function build(options: IdentityOptions, { store, encryption, clock, ids }: Parts): Omit<Identity, 'close'> {
  const { issuer, log, audience = 'rhizome' } = options;
  const { issuers, groups, elevations, enrolments, signingKeys, refreshFamilies: families } = store;
  const principals = new PrincipalsService({ principals: store.principals, issuers, groups, clock, ids });
  const people = new People({ principals: store.principals, issuers, groups, clock });
  const outside = new OutsideTokens({ issuers, keys: new IssuerKeys(), principals, clock });
  const keys = new SigningKeys({ repository: signingKeys, encryption, issuer, audience, clock });
  const revocations = new RevocationsService({ revocations: store.revocations, elevations, clock });
  const refreshTokens = new RefreshTokens({ families, encryption, revocations, clock, ids, log });
  const common = { issuer, audience, keys, outside, principals, revocations, clock, ids };
  const invitations = new Invitations({ enrolments, encryption, clock, ids });
  const issuersService = new IssuersService({ issuers, clock, log, ownIssuer: issuer });
  const tokens = new TokenService({ ...common, refreshTokens, attemptSeconds: options.attemptSeconds });
  const webSessions = new WebSessions({ ...common, sessions: store.webSessions, encryption, tokens });
  return {
    trusted: { issuer, jwks: () => keys.jwks() },
    audience,
    otherAudiences: options.otherAudiences ?? [],
    issuers: issuersService,
    principals,
    people,
    rights: currentRights(people, revocations),
    outside,
    keys,
    groups: new GroupsService({ groups, principals: store.principals, clock, ids }),
    links: new LinksService({
      ...{ ...common, links: store.links, principals: store.principals, issuers },
      ...{ visiblePrincipals: principals, sessions: webSessions, encryption, log },
    }),
    elevations: new ElevationsService({ ...common, elevations, people, tokens, sessions: webSessions, log }),
    tokens,
    storageTokens: new StorageTokens({ ...common, storages: options.storages ?? [], people }),
    revocations,
    invitations,
    enrolments: new EnrolmentsService({ ...common, enrolments, invitations }),
    enrolmentDecisions: new EnrolmentDecisions({ ...common, enrolments }),
    workerTokens: new WorkerTokens({ ...common, enrolments }),
    robots: new RobotsService({
      ...{ ...common, principals: store.principals, robotKeys: store.robotKeys },
      ...{ usedProofs: store.usedProofs, tokens },
    }),
    proofs: createProofVerifier(clock, store.usedProofs),
    failedGuesses: new FailedGuesses({ failures: store.failedGuesses, clock, log }),
    webLogin: new WebLogin({ issuers: issuersService, outside, encryption, now: () => clock.now() }),
    webSessions,
  };
}

/** Reads keys and revocations, and follows their changes in the store. */
async function follow(
  services: Omit<Identity, 'close'>,
  store: IdentityStore,
  log: Logger,
): Promise<Identity> {
  const { keys, revocations, people, failedGuesses, webSessions } = services;
  const refresh = async (changed?: readonly ChangedDocument[]): Promise<void> => {
    const guesses = idsIn(changed, failedGuessesCollection.name);
    const sessions = idsIn(changed, webSessionsCollection.name);
    if (sessions?.length !== 0) webSessions.forget(sessions);
    if (guesses?.length !== 0) await failedGuesses.refresh(guesses);
    if (guesses && sessions && guesses.length + sessions.length === changed?.length) return;
    await keys.refresh();
    await revocations.refresh();
  };
  await refresh();
  const followers = [
    new ChangeFollower({ watch: () => store.revocations.watch(), what: 'revocations', log, refresh }),
    new ChangeFollower({
      watch: () => store.principals.watch(),
      what: 'rights of principals',
      log,
      refresh: (changed) => people.refresh(changed),
    }),
  ];
  return {
    ...services,
    close: async () => {
      people.stop();
      await Promise.all(followers.map((follower) => follower.close()));
      await store.close();
    },
  };
}

/** The identifiers of the changed documents of a collection; undefined if everything may have changed. */
function idsIn(
  changed: readonly ChangedDocument[] | undefined,
  collection: string,
): readonly string[] | undefined {
  return changed?.filter((one) => one.collection === collection).map(({ id }) => String(id));
}
