/** Adapts the database of identities to a restore from a backup, before a gateway starts on it. */
import { collection } from '@rhizome/mongo';
import type { Db } from 'mongodb';
import { elevationsCollection } from '../elevations/elevation.document.js';
import { invitationsCollection } from '../enrolment/enrolment.document.js';
import { issuersCollection } from '../issuers/issuer.document.js';
import { revocationsCollection } from '../revocations/revocation.document.js';
import { longestUseMs } from '../revocations/revocations.service.js';
import { webSessionsCollection } from '../sessions/web-session.document.js';
import { refreshFamiliesCollection } from '../tokens/refresh-family.document.js';

const majority = { writeConcern: { w: 'majority' } } as const;
const by = 'restore';

/**
 * Ends what may have been ended after the backup, since that is not in it: logins, sessions of browsers,
 * elevations, invitations and the access tokens that were issued so far. Everybody logs in again; workers
 * keep their enrolments and go on. May be repeated.
 */
export async function afterRestore(db: Db): Promise<void> {
  // The tokens first: a login that is gone cannot be refreshed, but its tokens are still valid.
  const issuers = await collection(db, issuersCollection)
    .find({}, { projection: { _id: 1 } })
    .toArray();
  for (const { _id } of issuers) await revokeTokensOf(db, _id);
  await collection(db, refreshFamiliesCollection).deleteMany({}, majority);
  await collection(db, webSessionsCollection).deleteMany({}, majority);
  await collection(db, elevationsCollection).updateMany(
    { endedAt: null, $expr: { $gt: ['$expiresAt', '$$NOW'] } },
    [{ $set: { endedAt: '$$NOW', endedBy: by, updatedAt: '$$NOW', revision: { $add: ['$revision', 1] } } }],
    majority,
  );
  await collection(db, invitationsCollection).updateMany(
    { $expr: { $lt: ['$used', '$uses'] } },
    [{ $set: { used: '$uses', updatedAt: '$$NOW', revision: { $add: ['$revision', 1] } } }],
    majority,
  );
}

/** Revokes the tokens that somebody got by an issuer until now. */
async function revokeTokensOf(db: Db, issuer: string): Promise<void> {
  const content = {
    ...{ schemaVersion: 1, kind: 'ISSUER', value: { $literal: issuer } },
    revision: { $add: [{ $ifNull: ['$revision', 0] }, 1] },
    createdAt: { $ifNull: ['$createdAt', '$$NOW'] },
    updatedAt: '$$NOW',
    notBefore: '$$NOW',
    expiresAt: { $add: ['$$NOW', longestUseMs] },
    reason: 'restored from a backup',
    revokedBy: by,
  };
  await collection(db, revocationsCollection).updateOne({ _id: `ISSUER:${issuer}` }, [{ $set: content }], {
    upsert: true,
    ...majority,
  });
}
