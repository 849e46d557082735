/** Values behind the types of `links.graphql`. */
import type { PrincipalDocument } from '@rhizome/identity';

export type LinkedIdentityMapper = PrincipalDocument;
