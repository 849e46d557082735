/** Values behind the types of the SDL in this folder. */
import type { KeysetPage } from '@rhizome/mongo';
import type { Finding, SchemaChange } from '@rhizome/schema';
import type { GuardFacts } from '../../transports/index.js';
import type { SchemaCheckDocument } from '../store/schema-check.document.js';
import type {
  SchemaVersionDocument,
  SchemaVersionHead,
  VersionSubgraph,
} from '../store/schema-version.document.js';
import type { CoordinateUse } from '../use/use-reader.js';

/** A subgraph: its registration, its live schema, and its state in this gateway. */
export interface SubgraphMapper {
  readonly name: string;
  readonly typePrefix: string | null;
  readonly endpoint: string;
  readonly pendingEndpoint: string | null;
  readonly isLive: boolean;
  readonly member: VersionSubgraph | undefined;
  readonly facts: GuardFacts;
}
export type SchemaVersionMapper = SchemaVersionDocument | SchemaVersionHead;
export type SchemaVersionConnectionMapper = KeysetPage<SchemaVersionHead>;
export type SchemaCheckConnectionMapper = KeysetPage<SchemaCheckDocument>;
export type SchemaVersionSubgraphMapper = VersionSubgraph;
export type SchemaChangeMapper = SchemaChange;
export type SchemaCheckMapper = SchemaCheckDocument;
export type SchemaFindingMapper = Finding;
export type SchemaUseMapper = CoordinateUse;
