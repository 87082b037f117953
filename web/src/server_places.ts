// Which places are of the server as a whole, and need no hub.
import type { Place } from "./place";

export type ServerPlaceName = Extract<Place, { at: "users" | "user" | "tokens" | "account" | "exports" | "export" }>;

const names: ReadonlySet<Place["at"]> = new Set<ServerPlaceName["at"]>(["users", "user", "tokens", "account", "exports", "export"]);

export const isOfServer = (place: Place): place is ServerPlaceName => names.has(place.at);
