// Sends each token through its own expert, and multiplies the answer by the gate.
#include "autograd/mixture.h"

#include "autograd/ops.h"
#include "autograd/ops/support.h"
#include "core/parallel.h"

namespace shiftadd::autograd {
namespace {

// Which expert a token went to and which of that expert's tokens it is; p (T, E) where the gate or
// its gradient needs it.
struct Dispatch {
  Gate gate;
  int64_t experts, width;
  std::vector<int64_t> choice, position;
  Tensor p;

  int64_t tokens() const { return static_cast<int64_t>(choice.size()); }
  int64_t grain() const { return width < 16384 ? 16384 / width : 1; }
  template <class T>
  T factor(int64_t token) const {
    return gate == Gate::kProbability ? p.data<T>()[token * experts + choice[token]] : T{1};
  }
};

// y[token] = factor * output of the token's expert + residual.
template <class T>
void combine(const Dispatch& d, const std::vector<Tensor>& outputs, const Tensor& residual,
             const Tensor& y) {
  parallel_chunks(d.tokens(), d.grain(), [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const T* in = outputs[d.choice[t]].data<T>() + d.position[t] * d.width;
      const T* add = residual.defined() ? residual.data<T>() + t * d.width : nullptr;
      T* out = y.data<T>() + t * d.width;
      const T factor = d.factor<T>(t);
      for (int64_t j = 0; j < d.width; ++j) out[j] = factor * in[j];
      for (int64_t j = 0; add && j < d.width; ++j) out[j] += add[j];
    }
  });
}

// doutput[position] = factor * dy[token], for the experts that want it.
template <class T>
void split(const Dispatch& d, const Tensor& dy, const std::vector<Tensor>& doutputs) {
  parallel_chunks(d.tokens(), d.grain(), [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const Tensor& doutput = doutputs[d.choice[t]];
      if (!doutput.defined()) continue;
      const T* in = dy.data<T>() + t * d.width;
      T* out = doutput.data<T>() + d.position[t] * d.width;
      const T factor = d.factor<T>(t);
      for (int64_t j = 0; j < d.width; ++j) out[j] = factor * in[j];
    }
  });
}

// Both gates have d/dp = dy . output; p is the softmax of the logits.
template <class T>
void router_gradient(const Dispatch& d, const Tensor& dy, const std::vector<Tensor>& outputs,
                     const Tensor& dlogits) {
  parallel_chunks(d.tokens(), d.grain(), [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const int64_t chosen = d.choice[t];
      const T* out = outputs[chosen].data<T>() + d.position[t] * d.width;
      const T* gradient = dy.data<T>() + t * d.width;
      double dot = 0;
      for (int64_t j = 0; j < d.width; ++j) dot += static_cast<double>(gradient[j]) * out[j];
      const T* p = d.p.data<T>() + t * d.experts;
      for (int64_t i = 0; i < d.experts; ++i)
        dlogits.data<T>()[t * d.experts + i] =
            static_cast<T>(dot * p[chosen] * ((i == chosen ? 1.0 : 0.0) - p[i]));
    }
  });
}

void check_routing(const Routing& routing, int64_t tokens, Gate gate, int64_t experts) {
  if (tokens < 1) throw user_error("[mixture] input has no tokens");
  if (static_cast<int64_t>(routing.choice.size()) != tokens)
    throw user_error("[mixture] ", routing.choice.size(), " choices for ", tokens, " tokens");
  for (int64_t choice : routing.choice) {
    if (choice < 0 || choice >= experts)
      throw user_error("[mixture] a token goes to expert ", choice, ": expected 0..", experts - 1);
  }
  if (gate == Gate::kNone) return;
  check_defined("mixture", "logits", routing.logits);
  check_shape("mixture", "logits", routing.logits.shape(), {tokens, experts});
}

// Runs each expert on its tokens; undefined where it has none. Sets width.
std::vector<Variable> run_experts(const Variable& x, Dispatch& d,
                                  const std::vector<Expert>& experts) {
  std::vector<std::vector<int64_t>> rows(experts.size());
  for (int64_t t = 0; t < d.tokens(); ++t) {
    d.position.push_back(static_cast<int64_t>(rows[d.choice[t]].size()));
    rows[d.choice[t]].push_back(t);
  }
  std::vector<Variable> outputs(experts.size());
  for (std::size_t i = 0; i < experts.size(); ++i) {
    if (rows[i].empty()) continue;
    const int64_t n = static_cast<int64_t>(rows[i].size());
    outputs[i] = experts[i](gather_rows(x, std::move(rows[i])));
    check_rank("mixture", "an expert's output", outputs[i], 2);
    if (d.width < 0) d.width = outputs[i].dim(1);
    check_shape("mixture", "an expert's output", outputs[i].shape(), {n, d.width});
    check_same_dtype("mixture", x, {outputs[i]});
  }
  return outputs;
}

std::vector<Tensor> values_of(const std::vector<Variable>& variables) {
  std::vector<Tensor> values;
  for (const Variable& variable : variables)
    values.push_back(variable.defined() ? variable.value() : Tensor());
  return values;
}

}  // namespace

Variable mixture(const Variable& x, const Routing& routing, Gate gate,
                 const std::vector<Expert>& experts, const Variable& residual) {
  check_min_rank("mixture", "input", x, 1);
  const int64_t tokens = rows_of(x.value()), count = static_cast<int64_t>(experts.size());
  check_routing(routing, tokens, gate, count);
  check_same_dtype("mixture", x, {routing.logits, residual});
  Dispatch d{gate, count, -1, routing.choice, {}, {}};
  const std::vector<Variable> outputs =
      run_experts(x.value().rank() == 2 ? x : reshape(x, {tokens, x.dim(-1)}), d, experts);
  Shape shape = x.shape();
  shape.back() = d.width;
  if (residual.defined()) check_shape("mixture", "residual", residual.shape(), shape);

  const Variable logits = gate == Gate::kNone ? Variable() : routing.logits;
  const bool wants_logits = will_record({logits});
  const Tensor y(shape, x.dtype());
  const std::vector<Tensor> values = values_of(outputs);
  dispatch(x.dtype(), [&]<class T>() {
    if (gate == Gate::kProbability || wants_logits) {
      d.p = Tensor(logits.shape(), x.dtype());
      kernels<T>().softmax({tokens, count, logits.value().data<T>(), d.p.data<T>()});
    }
    combine<T>(d, values, residual.defined() ? residual.value() : Tensor(), y);
  });

  std::vector<Variable> inputs{logits, residual};
  std::vector<int64_t> wanted(count);  // rows of each expert whose output wants a gradient
  for (int64_t i = 0; i < count; ++i) {
    inputs.push_back(outputs[i]);
    if (wants_gradient(outputs[i])) wanted[i] = outputs[i].dim(0);
  }
  return make_result(
      "mixture", y, std::move(inputs),
      [d = std::move(d), wanted, kept = wants_logits ? values : std::vector<Tensor>(),
       pass = wants_gradient(residual)](const Tensor& dy) -> std::vector<Tensor> {
        std::vector<Tensor> doutputs(wanted.size());
        for (std::size_t i = 0; i < wanted.size(); ++i) {
          if (wanted[i]) doutputs[i] = Tensor({wanted[i], d.width}, dy.dtype());
        }
        Tensor dlogits;
        dispatch(dy.dtype(), [&]<class T>() {
          split<T>(d, dy, doutputs);
          if (kept.empty()) return;
          dlogits = Tensor({d.tokens(), d.experts}, dy.dtype());
          router_gradient<T>(d, dy, kept, dlogits);
        });
        std::vector<Tensor> gradients{dlogits, pass ? dy : Tensor()};
        gradients.insert(gradients.end(), doutputs.begin(), doutputs.end());
        return gradients;
      });
}

}  // namespace shiftadd::autograd
