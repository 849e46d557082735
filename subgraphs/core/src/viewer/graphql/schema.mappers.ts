/** Parent types of the resolvers of this folder's SDL. */
import type { ElevationReference, Grant, Principal } from '@rhizome/authz';

export type ViewerMapper = Principal;
export type ViewerElevationMapper = ElevationReference;
/** Grant of one principal. */
export interface ViewerGrantMapper {
  readonly grant: Grant;
  readonly principal: Principal;
}

/** Principal that owns an entity; only its subject is stored. */
export interface PrincipalMapper {
  readonly subject: string;
}
