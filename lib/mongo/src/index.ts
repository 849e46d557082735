export type { Environment } from './config.js';
export { defaultCacheDir, resolveMongod, type ResolveOptions } from './binary/resolve.js';
export { progressLine, type FetchProgress, type OnProgress } from './binary/progress.js';
export { startMongod, type RunningMember, type RunningMongod, type StartOptions } from './server/start.js';
export { freePort } from './server/ports.js';
export {
  knownRoles,
  type Role,
  serverDatabases,
  serviceRoles,
  signatureOf,
  type UserDatabases,
  writePrivate,
} from './server/access.js';
export { openMongo, type OpenedMongo } from './open-mongo.js';
export {
  type ChangedDocument,
  ChangeFollower,
  type ChangeFollowerOptions,
  watchCollections,
} from './store/change-follower.js';
export { connectMongo, type ConnectOptions } from './store/connect.js';
export { baseFields } from './store/base-fields.js';
export { isDuplicateKey } from './store/duplicate-key.js';
export {
  collection,
  defineCollection,
  type CollectionDeclaration,
  type CollectionDefinition,
  type DocumentSchema,
  type IndexDefinition,
} from './store/collection.js';
export {
  assertNoDrift,
  ensureCollections,
  type Drift,
  type EnsureOptions,
  type EnsureReport,
} from './store/ensure-collections.js';
export {
  type DeclaredCollection,
  type Declarations,
  declarationsCollection,
  isCopiedDatabase,
  readDeclarations,
  recordDeclarations,
} from './store/declarations.js';
export { findDrift } from './store/find-drift.js';
export { type RestoreMark, restoreMarkCollection, restoreMarks } from './store/restore-mark.js';
export { runMigrations, type Migration, type MigrationOptions } from './store/migrations.js';
export {
  isOverTime,
  keysetPage,
  keysetPages,
  type KeysetPage,
  type KeysetRequest,
  largestCount,
  type OrderField,
  type PageInfo,
} from './store/keyset-page.js';
export { keyedPage, type KeyedRequest } from './store/keyed-page.js';
export { positionsPage, type PositionsPage, type PositionsRequest } from './store/positions-page.js';
export { decodeCursor, encodeCursor, orderSignature, type KeyValue } from './store/cursor.js';
export { readSnapshot, type SnapshotRead, type StoreTime } from './store/snapshot-read.js';
export {
  isStreamLost,
  positionsAround,
  secondsOf,
  streamCursors,
  type StreamCursorOptions,
  type StreamCursors,
} from './store/stream-cursor.js';
export { partsOfTexts } from './parts-of-texts.js';
