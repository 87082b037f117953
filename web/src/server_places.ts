// Which places are of the server as a whole, and need no hub.
import type { Place } from "./place";

export type ServerPlaceName = Extract<Place, { at: "users" | "user" | "tokens" | "account" }>;

export function isOfServer(place: Place): place is ServerPlaceName {
  return place.at === "users" || place.at === "user" || place.at === "tokens" || place.at === "account";
}
