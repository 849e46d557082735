/** Values behind the types of `robots.graphql`. */
import type { RobotDocument, RobotKeyDocument } from '@rhizome/identity';
import type { KeysetPage } from '@rhizome/mongo';

export type RobotMapper = RobotDocument;
export type RobotKeyMapper = RobotKeyDocument;
export type RobotConnectionMapper = KeysetPage<RobotDocument>;
