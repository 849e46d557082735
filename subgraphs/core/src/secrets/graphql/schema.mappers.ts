/** Objects behind the types of this folder. */
import type { PositionsPage } from '@rhizome/mongo';
import type { SecretDocument, SecretVersion } from '../secret.document.js';

export type SecretMapper = SecretDocument;
export type SecretVersionMapper = SecretVersion;
export type SecretConnectionMapper = PositionsPage<SecretDocument>;
