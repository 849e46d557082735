/** ePIC's own actions, in addition to core's. ADMIN always has them. */
import { defineActions } from '@rhizome/authz';

export const actions = defineActions('epic', {
  // The programs of a live run have the identity of the experiment's service, and no quota of a person.
  'epicLiveRun:announce': ['PRODUCTION'],
});
