/** Values behind the types of `robots.graphql`. */
import type { PrincipalDocument, RobotKeyDocument } from '@rhizome/identity';
import type { KeysetPage } from '@rhizome/mongo';

export type RobotMapper = PrincipalDocument;
export type RobotKeyMapper = RobotKeyDocument;
export type RobotConnectionMapper = KeysetPage<PrincipalDocument>;
