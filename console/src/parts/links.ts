// Links that leave the console.

/** Where an address is, on a map that anybody may look at. */
export const mapOf = (address: string): string => `https://www.openstreetmap.org/search?query=${encodeURIComponent(address)}`;

/** A number to call, however it is written (RFC 3966 takes no spaces). */
export const callOf = (phone: string): string => `tel:${phone.replace(/[^\d+]/g, "")}`;
