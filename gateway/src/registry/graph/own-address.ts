import { gatewayName, inProcessUrl } from '@rhizome/schema/repository';

/** Address of the gateway's own fields in a supergraph. */
export const ownAddress = { name: gatewayName, endpoint: inProcessUrl(gatewayName) } as const;
