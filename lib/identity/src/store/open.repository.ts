/** Opens the database of identities. */
import {
  connectMongo,
  type DeclaredCollection,
  ensureCollections,
  recordDeclarations,
  runMigrations,
} from '@rhizome/mongo';
import type { Logger } from '@rhizome/log';
import type { Db } from 'mongodb';
import { elevationsCollection } from '../elevations/elevation.document.js';
import { ElevationsRepository } from '../elevations/elevations.repository.js';
import { enrolmentsCollection, invitationsCollection } from '../enrolment/enrolment.document.js';
import { EnrolmentsRepository } from '../enrolment/enrolments.repository.js';
import { groupMembersCollection, groupsCollection } from '../groups/group.document.js';
import { GroupsRepository } from '../groups/groups.repository.js';
import { failedGuessesCollection } from '../guesses/failed-guess.document.js';
import { FailedGuessesRepository } from '../guesses/failed-guesses.repository.js';
import { issuersCollection, issuerVersionsCollection } from '../issuers/issuer.document.js';
import { IssuersRepository } from '../issuers/issuers.repository.js';
import {
  identitiesCollection,
  membershipsCollection,
  principalsCollection,
} from '../principals/principal.document.js';
import { LinksRepository } from '../links/links.repository.js';
import { PrincipalsRepository } from '../principals/principals.repository.js';
import { usedProofsCollection } from '../proof/used-proof.document.js';
import { UsedProofsRepository } from '../proof/used-proofs.repository.js';
import { revocationsCollection } from '../revocations/revocation.document.js';
import { RevocationsRepository } from '../revocations/revocations.repository.js';
import { robotKeysCollection } from '../robots/robot-key.document.js';
import { RobotKeysRepository } from '../robots/robot-keys.repository.js';
import { RefreshFamiliesRepository } from '../tokens/refresh-families.repository.js';
import { refreshFamiliesCollection } from '../tokens/refresh-family.document.js';
import { webSessionsCollection } from '../sessions/web-session.document.js';
import { WebSessionsRepository } from '../sessions/web-sessions.repository.js';
import { signingKeysCollection } from '../tokens/signing-key.document.js';
import { SigningKeysRepository } from '../tokens/signing-keys.repository.js';
import { afterRestore } from './after-restore.repository.js';

/** The repositories on one connection. */
export interface IdentityStore {
  readonly issuers: IssuersRepository;
  readonly principals: PrincipalsRepository;
  readonly groups: GroupsRepository;
  readonly links: LinksRepository;
  readonly elevations: ElevationsRepository;
  readonly signingKeys: SigningKeysRepository;
  readonly refreshFamilies: RefreshFamiliesRepository;
  readonly revocations: RevocationsRepository;
  readonly enrolments: EnrolmentsRepository;
  readonly robotKeys: RobotKeysRepository;
  readonly usedProofs: UsedProofsRepository;
  readonly webSessions: WebSessionsRepository;
  readonly failedGuesses: FailedGuessesRepository;
  close(): Promise<void>;
}

const connections = 8;

const all = [
  issuersCollection,
  issuerVersionsCollection,
  principalsCollection,
  identitiesCollection,
  membershipsCollection,
  groupsCollection,
  groupMembersCollection,
  elevationsCollection,
  signingKeysCollection,
  refreshFamiliesCollection,
  revocationsCollection,
  invitationsCollection,
  enrolmentsCollection,
  robotKeysCollection,
  usedProofsCollection,
  webSessionsCollection,
  failedGuessesCollection,
];

/** The repositories of a database, which is made ready for them. */
export async function storeOf(db: Db, log: Logger): Promise<Omit<IdentityStore, 'close'>> {
  await runMigrations(db, [], { log, afterRestore });
  await Promise.all(all.map((one) => ensureCollections(db, [one], { log })));
  await recordDeclarations(db, all as unknown as readonly DeclaredCollection[]);
  return {
    issuers: new IssuersRepository(db),
    principals: new PrincipalsRepository(db),
    groups: new GroupsRepository(db),
    links: new LinksRepository(db),
    elevations: new ElevationsRepository(db),
    signingKeys: new SigningKeysRepository(db),
    refreshFamilies: new RefreshFamiliesRepository(db),
    revocations: new RevocationsRepository(db),
    enrolments: new EnrolmentsRepository(db),
    robotKeys: new RobotKeysRepository(db),
    usedProofs: new UsedProofsRepository(db),
    webSessions: new WebSessionsRepository(db),
    failedGuesses: new FailedGuessesRepository(db),
  };
}

/** @throws DomainError SERVICE_UNAVAILABLE if the store cannot be reached */
export async function openIdentityStore(uri: string, database: string, log: Logger): Promise<IdentityStore> {
  const client = await connectMongo({ uri, appName: 'rhizome-identity', maxPoolSize: connections });
  try {
    return { ...(await storeOf(client.db(database), log)), close: () => client.close() };
  } catch (error) {
    await client.close();
    throw error;
  }
}
