/** What stands behind the types of this folder's SDL. */
import type { Grant, Principal } from '@rhizome/authz';

export type ViewerMapper = Principal;
/** A grant, of one principal. */
export interface ViewerGrantMapper {
  readonly grant: Grant;
  readonly principal: Principal;
}

/** A principal that something belongs to: what is stored of it is its subject. */
export interface PrincipalMapper {
  readonly subject: string;
}
