/** Values behind the types of `roles.graphql`. */
import type { ElevationDocument, GroupDocument, GroupMemberDocument } from '@rhizome/identity';
import type { KeysetPage } from '@rhizome/mongo';

export type GroupMapper = GroupDocument;
export type GroupConnectionMapper = KeysetPage<GroupDocument>;
export type GroupMemberMapper = GroupMemberDocument;
export type GroupMemberConnectionMapper = KeysetPage<GroupMemberDocument>;
export type ElevationMapper = ElevationDocument;
export type ElevationConnectionMapper = KeysetPage<ElevationDocument>;
