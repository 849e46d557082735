/** What stands behind the types of this folder's SDL. */
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

/** A subgraph: what is registered of it, what is live, and how it fares here. */
export interface SubgraphMapper {
  readonly name: string;
  readonly typePrefix: string | null;
  readonly endpoint: string;
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
