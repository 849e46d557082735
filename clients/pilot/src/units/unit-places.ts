/** Name of the socket in the folder for work units. */
export const unitSocketName = 'socket';

/**
 * Path of that folder for the payload, which is always isolated if it has a token. It is short: the address
 * of a socket has at most 107 bytes.
 */
export const unitsInside = '/run/rhizome-units';
