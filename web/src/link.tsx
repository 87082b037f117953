// An ordinary link, so that it opens in another tab as one does; a plain click stays in this page.
import type { MouseEvent, ReactNode } from "react";
import { addressOf, type Go, type Place } from "./place";

interface Props {
  to: Place;
  hub: string | null;
  go: Go;
  here?: boolean;
  className?: string;
  children: ReactNode;
}

export function PlaceLink({ to, hub, go, here = false, className, children }: Props) {
  const follow = (event: MouseEvent) => {
    if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation();
    go(to);
  };
  return (
    <a href={addressOf(to, hub)} onClick={follow} aria-current={here ? "page" : undefined} className={className}>
      {children}
    </a>
  );
}
