// One recommendation: the weak state, on which device, what shows it, what to do.
import type { Api } from "./api";
import { Drawer, Properties, Steps } from "./drawer";
import { kqlText } from "./lists";
import { SeverityMark, Time } from "./marks";
import type { Recommendation } from "./model";
import { Shown, useReading } from "./reading";
import { additionalValues, shownValue, textList } from "./state";
import { visible } from "./visible";

function Value({ value }: { value: unknown }) {
  if (!Array.isArray(value)) return <>{shownValue(value)}</>;
  return (
    <ul className="values">
      {value.map((one, index) => (
        <li key={index}>{shownValue(one)}</li>
      ))}
    </ul>
  );
}

function Body({ one, now, investigate, openDevice }: { one: Recommendation; now: number; investigate: (query: string) => void; openDevice: (device: string) => void }) {
  const properties = one.properties ?? {};
  const component = properties["Component"];
  return (
    <>
      <p className="facts">
        <SeverityMark severity={one.severity} />
        <span>{one.state}</span>
        {one.device !== "" && <button type="button" className="link device" onClick={() => openDevice(one.device)}>{one.device}</button>}
        {typeof component === "string" && component !== "" && <span>seen by {component}</span>}
      </p>
      <p className="said">{visible(one.description)}</p>
      <section>
        <h3>Evidence</h3>
        <Properties values={additionalValues(one.additionalData).map(([name, value]) => [name, <Value key={name} value={value} />])} />
      </section>
      <Steps steps={textList(properties["RemediationSteps"])} />
      <section>
        <h3>Times</h3>
        <Properties
          values={[
            ["Discovered", <Time key="d" iso={one.discovered} now={now} />],
            ["Changed", <Time key="c" iso={one.changed} now={now} />],
          ]}
        />
      </section>
      <p>
        <button
          type="button"
          onClick={() =>
            investigate(
              `SecurityRecommendation\n| where RecommendationId == ${kqlText(one.id)}\n| project TimeGenerated, RecommendationState, DeviceId, RecommendationAdditionalData\n| order by TimeGenerated desc`,
            )
          }
        >
          Its history in the logs
        </button>
      </p>
      <section>
        <h3>Rule</h3>
        <Properties values={[["Type", one.type], ["Recommendation id", one.id]]} />
      </section>
    </>
  );
}

interface Props {
  api: Api;
  hub: string;
  id: string;
  now: number;
  close: () => boolean;
  investigate: (query: string) => void;
  openDevice: (device: string) => void;
}

export function RecommendationDrawer({ api, hub, id, now, close, investigate, openDevice }: Props) {
  const address = `/api/v1/recommendations/${encodeURIComponent(id)}?hub=${encodeURIComponent(hub)}`;
  const reading = useReading((signal) => api.get<Recommendation>(address, signal), [api, address]);
  return (
    <Drawer title={reading.value?.displayName ?? "Recommendation"} close={close}>
      <Shown of={reading}>{(one) => <Body one={one} now={now} investigate={investigate} openDevice={openDevice} />}</Shown>
    </Drawer>
  );
}
