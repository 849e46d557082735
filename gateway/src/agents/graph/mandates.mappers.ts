/** Values behind the types of `mandates.graphql`. */
import type { MandateDocument } from '@rhizome/agents';
import type { KeysetPage } from '@rhizome/mongo';

export type MandateMapper = MandateDocument;
export type MandateConnectionMapper = KeysetPage<MandateDocument>;
