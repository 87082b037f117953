// A hub's routes as its configuration and the API give them (docs/routes.md), and what the page makes of them: pure.
export interface Endpoint {
  type: string;
  url?: string;
  caPem?: string;
  keepHours?: number;
  fileMegabytes?: number;
  files?: number;
}
export interface Route {
  source?: string;
  condition?: string;
  endpoints?: string[];
  enabled?: boolean;
}
export interface Routing {
  endpoints?: Record<string, Endpoint> | null;
  routes?: Record<string, Route> | null;
  fallbackToEvents?: boolean;
}
/** A merge patch of it: what is null goes. */
export interface RoutingPatch {
  endpoints?: Record<string, Partial<Record<keyof Endpoint, unknown>> | null>;
  routes?: Record<string, Partial<Record<keyof Route, unknown>> | null>;
  fallbackToEvents?: boolean;
}
export interface EndpointStatus {
  name: string;
  type: string;
  healthy: boolean;
  lastError: string;
  delivered: number;
  refused: number;
  dropped: number;
  behind: number;
}

export const builtIn = "events"; // where messages are without routes
export const sources = [
  ["DeviceMessages", "Telemetry of devices"],
  ["TwinChangeEvents", "Changed twins"],
  ["DeviceLifecycleEvents", "Devices made and removed"],
  ["DeviceConnectionStateEvents", "Devices that come and go"],
] as const;
export const sourceName = (source = "DeviceMessages"): string => sources.find(([id]) => id === source)?.[1] ?? source;

export interface EndpointRow extends Endpoint {
  name: string;
  status: EndpointStatus | null; // null: not heard of yet
  used: string[]; // by these routes
}

export function endpointRows(routing: Routing, statuses: readonly EndpointStatus[]): EndpointRow[] {
  const routes = Object.entries(routing.routes ?? {});
  return Object.entries(routing.endpoints ?? {})
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([name, one]) => ({
      ...one, name,
      status: statuses.find((status) => status.name === name) ?? null,
      used: routes.filter(([, route]) => route.endpoints?.includes(name)).map(([route]) => route),
    }));
}
